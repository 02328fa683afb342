package authz

// Source gives the engine that is in force. Whoever needs several answers of one version asks for it once.
type Source interface{ Engine() *Engine }

// Engine makes an engine a source of itself, where nothing replaces it.
func (e *Engine) Engine() *Engine { return e }
