// What graphql-eslint holds the schema and the example operations to: Relay's shapes, and a description for everything.
import graphql from '@graphql-eslint/eslint-plugin'
import { root, schemaFiles } from './paths.mjs'

const parser = graphql.parser
const plugins = { '@graphql-eslint': graphql }
const languageOptions = { parser, parserOptions: { graphQLConfig: { schema: schemaFiles, documents: `${root}/internal/explorer/examples/*.graphql` } } }

export default [
	{
		files: ['**/*.graphqls'],
		plugins,
		languageOptions,
		rules: {
			...graphql.configs['flat/schema-recommended'].rules,
			...graphql.configs['flat/schema-relay'].rules,
			// nodes beside edges is the contract's, for clients that need no cursors.
			'@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: true, listTypeCanWrapOnlyEdgeType: false }],
			'@graphql-eslint/relay-arguments': ['error', { includeBoth: true }],
			'@graphql-eslint/require-description': ['error', { types: true, DirectiveDefinition: true, EnumValueDefinition: true,
				FieldDefinition: true, InputValueDefinition: false }],
			'@graphql-eslint/description-style': 'off', // as long as it needs to be
			'@graphql-eslint/require-deprecation-reason': 'error',
			// A thing without an id is a value: it has none to require.
			'@graphql-eslint/strict-id-in-types': 'off',
			'@graphql-eslint/naming-convention': ['error', {
				types: 'PascalCase', FieldDefinition: 'camelCase', InputValueDefinition: 'camelCase', Argument: 'camelCase',
				DirectiveDefinition: 'camelCase', EnumValueDefinition: 'UPPER_CASE',
			}],
		},
	},
	{
		files: ['**/*.graphql'],
		plugins,
		languageOptions,
		rules: {
			...graphql.configs['flat/operations-recommended'].rules,
			// An example selects what it is about.
			'@graphql-eslint/require-selections': 'off',
		},
	},
]
