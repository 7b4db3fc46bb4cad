import type { Dialect } from '@enterprise-access/db';
import mysql from 'mysql2/promise';
import pg from 'pg';

export type Run = (sql: string, values: readonly unknown[]) => Promise<unknown>;

/** The bare driver, set up as the service sets it up. */
export async function openDriver(dialect: Dialect, url: string): Promise<{ run: Run; end: () => Promise<void> }> {
  if (dialect === 'postgres') {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return { run: (sql, values) => client.query(sql, [...values]), end: () => client.end() };
  }
  const connection = await mysql.createConnection({ uri: url, timezone: 'Z' });
  await connection.query("SET SESSION sql_mode = 'STRICT_ALL_TABLES,ANSI_QUOTES'");
  await connection.query('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
  return { run: (sql, values) => connection.query(sql, [...values]), end: () => connection.end() };
}

/** A multi-row insert with a parameter for each value. */
export function insertStatement(dialect: Dialect, table: string, columns: readonly string[], rows: number): string {
  let parameter = 0;
  const mark = () => {
    parameter += 1;
    return dialect === 'postgres' ? `$${parameter}` : '?';
  };
  const row = () => `(${columns.map(mark).join(', ')})`;
  return `insert into ${table} (${columns.join(', ')}) values ${Array.from({ length: rows }, row).join(', ')}`;
}
