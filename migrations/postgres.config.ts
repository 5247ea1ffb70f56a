import { defineConfig } from 'drizzle-kit'

/** `npm run migrations` writes the next SQL file from the difference to the last one. Files once released never change. */
export default defineConfig({
  dialect: 'postgresql',
  schema: './service/store/postgres/schema.ts',
  out: './migrations/postgres',
})
