import { type Model, shapeOf } from '@enterprise-access/domain';
import { HEAD, importTypes, modelName } from './names.ts';
import { declareObject, type Scope } from './types.ts';

/** Generates the shared models. */
export function modelsFile(models: readonly Model[], scope: Scope): string {
  for (const { name, schema } of models.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const sentence = `${modelName(name).replace(/(?<=.)([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`)}, as the service answers it.`;
    declareObject(scope, modelName(name), shapeOf(schema) ?? {}, 'output', schema.description ?? sentence);
  }
  const foreign = ['NoDetails'].filter((name) => [...scope.declared.values()].some((text) => text.includes(name)));
  return [HEAD, importTypes(foreign, '../errors.ts'), ...scope.declared.values()].join('\n');
}
