// The schema and the example operations, as the tools of typed clients read them.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ESLint } from 'eslint'
import { parse, print } from 'graphql'
import { codegen } from '@graphql-codegen/core'
import * as operations from '@graphql-codegen/typescript-operations'
import * as documents from '@graphql-codegen/typed-document-node'
import { exampleFiles, examples, here, rename, root, schemaFiles, sdl } from '../paths.mjs'

const strict = { strict: true, noEmit: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true,
	module: 'nodenext', moduleResolution: 'nodenext', target: 'es2022', verbatimModuleSyntax: true, types: [] }

// A folder beside node_modules, so that what is generated finds its types.
function folder(t) {
	const dir = mkdtempSync(join(here, '.generated-'))
	t.after(() => rmSync(dir, { recursive: true }))
	return dir
}

function run(program, args, cwd) {
	try {
		return execFileSync(join(here, 'node_modules/.bin', program), args, { cwd, encoding: 'utf8', stdio: 'pipe' })
	} catch (e) {
		throw new Error(`${program}: ${e.stdout}\n${e.stderr}`)
	}
}

// What TypeScript finds in a folder.
function typecheck(dir) {
	writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
	writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions: strict, include: ['**/*.ts'] }))
	run('tsc', ['--project', dir], dir)
}

async function lint(files) {
	const eslint = new ESLint({ cwd: root, overrideConfigFile: join(here, 'eslint.config.mjs') })
	const results = await eslint.lintFiles(files)
	return results.flatMap((r) => r.messages.map((m) => `${r.filePath.slice(root.length + 1)}:${m.line} ${m.ruleId}: ${m.message}`))
}

test('graphql-eslint has nothing to say of the schema', async () => {
	assert.deepEqual(await lint(schemaFiles), [])
})

test('graphql-eslint has nothing to say of the examples', async () => {
	assert.ok(exampleFiles.length >= 10)
	assert.deepEqual(await lint(exampleFiles), [])
})

test('relay-compiler takes the schema and the operations', async (t) => {
	const dir = folder(t)
	mkdirSync(join(dir, 'src'))
	writeFileSync(join(dir, 'schema.graphql'), sdl)
	examples.forEach((e, i) => {
		const module = `Screen${i}${e.name}`
		const suffix = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' }[e.operation]
		const text = print(rename(e.document, module + suffix))
		writeFileSync(join(dir, 'src', `${module}.ts`), `import { graphql } from 'relay-runtime'\nexport const document = graphql\`\n${text}\n\`\n`)
	})
	writeFileSync(join(dir, 'relay.config.json'), JSON.stringify({ src: './src', schema: './schema.graphql', language: 'typescript', eagerEsModules: true,
		customScalarTypes: { DateTime: 'string', Date: 'string', Int64: 'number', Decimal: 'string', Upload: 'Blob' } }))
	const printed = run('relay-compiler', ['relay.config.json'], dir)
	assert.equal(readdirSync(join(dir, 'src/__generated__')).length, examples.length, printed)
})

test('generated types compile strictly, and hold a client to them', async (t) => {
	const dir = folder(t)
	const config = { strictScalars: true, scalars: { DateTime: 'string', Date: 'string', Int64: 'number', Decimal: 'string', Upload: 'Blob' },
		useTypeImports: true, enumsAsTypes: true }
	const output = await codegen({
		schema: parse(sdl), filename: 'client.ts', documents: examples.map((e) => ({ location: e.file, document: e.document })), config,
		plugins: [{ operations: {} }, { documents: {} }], pluginMap: { operations, documents }, skipDocumentsValidation: false,
	})
	writeFileSync(join(dir, 'client.ts'), output)
	typecheck(dir)
	// The check sees what it looks for.
	const name = examples.find((e) => e.operation === 'query').name
	writeFileSync(join(dir, 'wrong.ts'), `import type { ${name}Query } from './client.js'\nexport const q: ${name}Query = { nothing: 1 }\n`)
	assert.throws(() => typecheck(dir), /wrong\.ts/)
})
