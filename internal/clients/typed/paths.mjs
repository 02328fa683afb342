// Where things are.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { buildSchema, Kind, parse, printSchema, visit } from 'graphql'

export const here = fileURLToPath(new URL('.', import.meta.url))
export const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '')

const files = (folder, ending) =>
	readdirSync(join(root, folder)).filter((f) => f.endsWith(ending)).sort().map((f) => join(root, folder, f))

export const schemaFiles = files('graph/schema', '.graphqls')
export const exampleFiles = files('internal/explorer/examples', '.graphql')

// The schema as one document, as a client downloads it.
export const schema = buildSchema(schemaFiles.map((f) => readFileSync(f, 'utf8')).join('\n'))
export const sdl = printSchema(schema)

// The example operations: { file, document, operation, name }.
export const examples = exampleFiles.map((f) => {
	const document = parse(readFileSync(f, 'utf8'))
	const operations = document.definitions.filter((d) => d.kind === Kind.OPERATION_DEFINITION)
	if (operations.length !== 1 || !operations[0].name) throw new Error(`${f}: expected one operation with a name`)
	return { file: f, document, operation: operations[0].operation, name: operations[0].name.value }
})

// Relay wants names that begin with their module's.
export function rename(document, name) {
	return visit(document, { OperationDefinition: (node) => ({ ...node, name: { kind: Kind.NAME, value: name } }) })
}
