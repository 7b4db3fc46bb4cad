/** What a release says about the libraries inside: their licences, and a software bill of materials. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Dependency, productionDependencies, ROOT } from './dependencies.ts';

const APPS = ['apps/api', 'apps/worker'];
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/** What is in the images: each package and version once. */
function shipped(): Dependency[] {
  const byId = new Map(productionDependencies(APPS).map((dependency) => [idOf(dependency), dependency]));
  return [...byId].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, dependency]) => dependency);
}

const idOf = ({ name, version }: Pick<Dependency, 'name' | 'version'>): string => `${name}@${version}`;

/** The licence files of a package; some packages have none and only name their licence. */
function licenceText({ path }: Dependency): string {
  const files = readdirSync(join(ROOT, path)).filter((file) => LICENCE_FILE.test(file));
  const texts = files.sort().map((file) => readFileSync(join(ROOT, path, file), 'utf8'));
  const text = texts.map((each) => each.replaceAll('\r\n', '\n').trim()).join('\n\n');
  return text || 'The package has no licence file.';
}

/** `THIRD-PARTY-NOTICES.txt`. */
export function noticesText(): string {
  const notices = shipped().map((dependency) => {
    const title = `${idOf(dependency)}, ${dependency.licence}`;
    return `${'='.repeat(80)}\n${title}\n\n${licenceText(dependency)}\n`;
  });
  return `Libraries in the images of Enterprise Access, and their licences.\nWritten by \`npm run generate\`.\n\n${notices.join('\n')}`;
}

const purl = ({ name, version }: Dependency): string => `pkg:npm/${name.replace('@', '%40')}@${version}`;

/** `sha512-<base64>` as CycloneDX writes it. */
const hashes = ({ integrity }: Dependency) =>
  integrity.startsWith('sha512-')
    ? [{ alg: 'SHA-512', content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') }]
    : [];

const licences = ({ licence }: Dependency) =>
  /[ ()]/.test(licence) ? [{ expression: licence }] : [{ license: { id: licence } }];

/**
 * `sbom.cdx.json`: CycloneDX without time and serial number, so that it changes only with the libraries. `npm sbom
 * --omit dev --omit peer` leaves out libraries that are also peers of others, such as pg and zod.
 */
export function sbomText(): string {
  const dependencies = shipped();
  const installed = productionDependencies(APPS);
  const purls = new Map(installed.map((dependency) => [dependency.path, purl(dependency)]));
  const needsOf = (dependency: Dependency) =>
    installed.filter((other) => purl(other) === purl(dependency)).flatMap(({ needs }) => needs);
  const document = {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: { 'bom-ref': 'enterprise-access', type: 'application', name: 'enterprise-access' },
    },
    components: dependencies.map((dependency) => ({
      'bom-ref': purl(dependency),
      type: 'library',
      name: dependency.name,
      version: dependency.version,
      licenses: licences(dependency),
      hashes: hashes(dependency),
      purl: purl(dependency),
    })),
    dependencies: dependencies.map((dependency) => ({
      ref: purl(dependency),
      dependsOn: [...new Set(needsOf(dependency).map((path) => purls.get(path) ?? path))].sort(),
    })),
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
