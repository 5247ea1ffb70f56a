/** The OpenAPI document as it stands in docs/: for a service that is nobody's. */
import { openApiDocument } from './openapi.ts'

export function openApiText(): string {
  return `${JSON.stringify(openApiDocument('https://pay.example.com'), null, 2)}\n`
}
