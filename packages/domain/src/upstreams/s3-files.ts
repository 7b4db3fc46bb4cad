import { Readable } from 'node:stream';
import type { Files } from '../kernel/ports/files.ts';

// The one place that imports the S3 client, so that another library is a change of this file.

export interface S3Options {
  readonly bucket: string;
  readonly region: string;
  /** Of another service with the same interface. */
  readonly endpoint?: string | undefined;
  /** Without it the library looks for credentials as AWS defines it: environment, profile, instance role. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly timeoutMs: number;
}

const CONTENT_TYPE = 'text/csv; charset=utf-8';
const ATTEMPTS = 3;
/** Parts of an upload are held in memory. The smallest size that S3 takes. */
const PART_BYTES = 5 * 1024 * 1024;

const fileNameOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** The library, loaded with the first file: it is large, and most processes write none. */
async function open({ region, endpoint, credentials, timeoutMs }: S3Options) {
  const [sdk, { Upload }, { getSignedUrl }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@aws-sdk/lib-storage'),
    import('@aws-sdk/s3-request-presigner'),
  ]);
  const client = new sdk.S3Client({
    region,
    maxAttempts: ATTEMPTS,
    requestHandler: { requestTimeout: timeoutMs, connectionTimeout: timeoutMs },
    // Other services do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  return { client, sdk, Upload, getSignedUrl };
}

/** Files in a bucket of S3 or of a service with its interface. */
export function s3Files(options: S3Options): Files {
  const { bucket } = options;
  let opened: ReturnType<typeof open> | undefined;
  const library = () => {
    opened ??= open(options);
    return opened;
  };
  return {
    async write(name, content) {
      const { client, Upload } = await library();
      const body = Readable.from(content, { objectMode: false });
      await new Upload({
        client,
        params: { Bucket: bucket, Key: name, Body: body, ContentType: CONTENT_TYPE },
        queueSize: 1,
        partSize: PART_BYTES,
      }).done();
    },
    async linkTo(name, seconds) {
      const { client, sdk, getSignedUrl } = await library();
      const command = new sdk.GetObjectCommand({
        Bucket: bucket,
        Key: name,
        ResponseContentDisposition: `attachment; filename="${fileNameOf(name)}"`,
      });
      return getSignedUrl(client, command, { expiresIn: seconds });
    },
    async remove(name) {
      const { client, sdk } = await library();
      await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: name }));
    },
  };
}
