import { Readable } from 'node:stream';
import { DeleteObjectCommand, GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
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

/** Files in a bucket of S3 or of a service with its interface. */
export function s3Files({ bucket, region, endpoint, credentials, timeoutMs }: S3Options): Files {
  const client = new S3Client({
    region,
    maxAttempts: ATTEMPTS,
    requestHandler: { requestTimeout: timeoutMs, connectionTimeout: timeoutMs },
    // Other services do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  return {
    async write(name, content) {
      const body = Readable.from(content, { objectMode: false });
      await new Upload({
        client,
        params: { Bucket: bucket, Key: name, Body: body, ContentType: CONTENT_TYPE },
        queueSize: 1,
        partSize: PART_BYTES,
      }).done();
    },
    linkTo: (name, seconds) =>
      getSignedUrl(
        client,
        new GetObjectCommand({
          Bucket: bucket,
          Key: name,
          ResponseContentDisposition: `attachment; filename="${fileNameOf(name)}"`,
        }),
        { expiresIn: seconds },
      ),
    async remove(name) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: name }));
    },
  };
}
