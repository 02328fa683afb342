package envelope

import (
	"bytes"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// demoSecret is the master key of the demo. It is public and protects nothing. Being fixed, it opens the demo's
// database again after a restart.
const demoSecret = "guanxi-demo-key-never-in-earnest"

// demoKeyset is the keyset that holds demoSecret.
const demoKeyset = `{
	"primaryKeyId": 1,
	"key": [{
		"keyData": {
			"typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmKey",
			"value": "GiBndWFueGktZGVtby1rZXktbmV2ZXItaW4tZWFybmVzdA==",
			"keyMaterialType": "SYMMETRIC"
		},
		"status": "ENABLED",
		"keyId": 1,
		"outputPrefixType": "TINK"
	}]
}`

// Demo is the master key of the demo company, which everybody knows.
func Demo() *Master {
	m, err := Open([]byte(demoKeyset))
	if err != nil {
		panic(err) // the constant is a keyset
	}
	return m
}

// IsDemo reports whether a keyset holds the demo's key, however it is laid out and whatever else it holds. The real
// server refuses one. Bytes that are no keyset are not the demo's either; [Open] refuses those.
func IsDemo(keysetJSON []byte) bool {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(keysetJSON)))
	if err != nil {
		return false
	}
	for _, key := range insecurecleartextkeyset.KeysetMaterial(handle).GetKey() {
		if bytes.Contains(key.GetKeyData().GetValue(), []byte(demoSecret)) {
			return true
		}
	}
	return false
}
