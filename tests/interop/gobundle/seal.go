package main

// C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-proof; the tree of RFC 9162.

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

var base = base64.StdEncoding.Strict()

type key struct {
	name      string
	hash      []byte
	algorithm byte
	raw       ed25519.PublicKey
}

// readKey: a verifier key, name+hash+base64(algorithm, public key); the hash is over name, newline, those bytes.
func readKey(vkey string) key {
	parts := strings.SplitN(vkey, "+", 3)
	must(len(parts) == 3, "no verifier key")
	data, err := base.DecodeString(parts[2])
	must(err == nil && len(data) == 33, "no Ed25519 key")
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), data...))
	must(hex.EncodeToString(sum[:4]) == parts[1], "the key's hash does not fit")
	return key{parts[0], sum[:4], data[0], data[1:]}
}

type signature struct {
	name       string
	hash, blob []byte
}

type signedNote struct {
	text  string
	lines []signature
}

func splitNote(note string) signedNote {
	at := strings.LastIndex(note, "\n\n")
	must(at >= 0 && strings.HasSuffix(note, "\n"), "no signed note")
	found := signedNote{text: note[:at+1]}
	for _, line := range strings.Split(note[at+2:len(note)-1], "\n") {
		parts := strings.Split(line, " ")
		must(len(parts) == 3 && parts[0] == "—", "no signature line")
		data, err := base.DecodeString(parts[2])
		must(err == nil && len(data) > 4, "no signature")
		found.lines = append(found.lines, signature{parts[1], data[:4], data[4:]})
	}
	return found
}

func (n signedNote) line(by key) []byte {
	for _, one := range n.lines {
		if one.name == by.name && bytes.Equal(one.hash, by.hash) {
			return one.blob
		}
	}
	refuse("no signature of %s", by.name)
	return nil
}

func (n signedNote) signedBy(by key) {
	must(ed25519.Verify(by.raw, []byte(n.text), n.line(by)), "the signature of %s does not fit", by.name)
}

// cosignedBy: eight bytes of Unix seconds and a signature over them and the note's text.
func (n signedNote) cosignedBy(by key) int64 {
	blob := n.line(by)
	must(len(blob) == 72, "no cosignature")
	seconds := binary.BigEndian.Uint64(blob)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", seconds, n.text)
	must(ed25519.Verify(by.raw, []byte(message), blob[8:]), "the cosignature of %s does not fit", by.name)
	return int64(seconds)
}

// checkpoint: origin, size and root, a line each.
func (n signedNote) checkpoint() (string, int64, []byte) {
	lines := strings.Split(n.text, "\n")
	must(len(lines) == 4 && lines[3] == "", "no checkpoint")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err == nil && size >= 0 && strconv.FormatInt(size, 10) == lines[1], "no size")
	root, err := base.DecodeString(lines[2])
	must(err == nil && len(root) == 32, "no root")
	return lines[0], size, root
}

func leafHash(leaf []byte) []byte {
	sum := sha256.Sum256(append([]byte{0}, leaf...))
	return sum[:]
}

func nodeHash(left, right []byte) []byte {
	sum := sha256.Sum256(append(append([]byte{1}, left...), right...))
	return sum[:]
}

// tree: the roots of the full subtrees, the largest first; one for each 1 in the size.
type tree struct {
	size  int64
	peaks [][]byte
}

func (t *tree) add(hash []byte) {
	for left := t.size; left&1 == 1; left >>= 1 {
		last := len(t.peaks) - 1
		hash = nodeHash(t.peaks[last], hash)
		t.peaks = t.peaks[:last]
	}
	t.peaks = append(t.peaks, hash)
	t.size++
}

func (t *tree) root() []byte {
	if len(t.peaks) == 0 {
		sum := sha256.Sum256(nil)
		return sum[:]
	}
	node := t.peaks[len(t.peaks)-1]
	for at := len(t.peaks) - 2; at >= 0; at-- {
		node = nodeHash(t.peaks[at], node)
	}
	return node
}

// included: RFC 9162 2.1.3.2.
func included(index, size int64, leaf []byte, path [][]byte, root []byte) bool {
	if index < 0 || index >= size {
		return false
	}
	at, last, node := index, size-1, leaf
	for _, other := range path {
		if last == 0 {
			return false
		}
		if at&1 == 1 || at == last {
			node = nodeHash(other, node)
			for at&1 == 0 && at != 0 {
				at, last = at>>1, last>>1
			}
		} else {
			node = nodeHash(node, other)
		}
		at, last = at>>1, last>>1
	}
	return last == 0 && bytes.Equal(node, root)
}

// proven: a c2sp.org/tlog-proof@v1 for each leaf of each line, in their order.
func proven(proofs, lines []object, logs []*log) {
	due := [][3]int64{}
	for _, line := range lines {
		for _, leaf := range line.objects("leaves") {
			due = append(due, [3]int64{line.number("no"), leaf.number("log"), leaf.number("index")})
		}
	}
	must(len(proofs) == len(due), "%d proofs for %d leaves", len(proofs), len(due))
	for at, one := range proofs {
		one.only("line log index proof")
		where := [3]int64{one.number("line"), one.number("log"), one.number("index")}
		must(where == due[at], "a proof of another leaf than the line's")
		of := logs[where[1]]
		proof, note, _ := strings.Cut(one.text("proof"), "\n\n")
		words := strings.Split(proof, "\n")
		must(words[0] == "c2sp.org/tlog-proof@v1" && len(words) > 1, "no proof")
		must(words[1] == fmt.Sprintf("index %d", where[2]), "a proof of another leaf")
		path := [][]byte{}
		for _, word := range words[2:] {
			node, err := base.DecodeString(word)
			must(err == nil && len(node) == 32, "no node")
			path = append(path, node)
		}
		must(note == of.newest, "a proof to another checkpoint")
		must(included(where[2], of.to, leafHash([]byte(of.leaves[where[2]])), path, of.tree.root()), "a proof does not prove")
	}
}
