package main

// JSON as docs/api/bundle.md has it: no double fields, integers below 2^53 only; and the canonical form that is hashed.

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

type object map[string]any

func parse(text []byte) object {
	must(utf8.Valid(text), "no UTF-8")
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	value := one(decoder)
	_, err := decoder.Token()
	must(err == io.EOF, "something follows")
	found, is := value.(map[string]any)
	must(is, "no object")
	return found
}

func one(decoder *json.Decoder) any {
	token, err := decoder.Token()
	must(err == nil, "no JSON: %v", err)
	switch token {
	case json.Delim('{'):
		found := map[string]any{}
		for decoder.More() {
			name := one(decoder).(string)
			_, double := found[name]
			must(!double, "the field %q stands there twice", name)
			found[name] = one(decoder)
		}
		_, err = decoder.Token()
		must(err == nil, "no JSON: %v", err)
		return found
	case json.Delim('['):
		found := []any{}
		for decoder.More() {
			found = append(found, one(decoder))
		}
		_, err = decoder.Token()
		must(err == nil, "no JSON: %v", err)
		return found
	}
	if number, is := token.(json.Number); is {
		whole, err := strconv.ParseInt(string(number), 10, 64)
		must(err == nil && strconv.FormatInt(whole, 10) == string(number), "%s is no integer", number)
		must(whole < 1<<53 && whole > -(1<<53), "%s is too large", number)
		return whole
	}
	return token
}

// canonical: keys sorted by code point, no spaces; in texts only quote, backslash and control characters are escaped.
func canonical(value any) []byte {
	switch found := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(found))
		for name := range found {
			names = append(names, name)
		}
		sort.Strings(names)
		parts := make([]string, 0, len(names))
		for _, name := range names {
			parts = append(parts, string(quoted(name))+":"+string(canonical(found[name])))
		}
		return []byte("{" + strings.Join(parts, ",") + "}")
	case []any:
		parts := make([]string, 0, len(found))
		for _, inner := range found {
			parts = append(parts, string(canonical(inner)))
		}
		return []byte("[" + strings.Join(parts, ",") + "]")
	case string:
		return quoted(found)
	case int64:
		return strconv.AppendInt(nil, found, 10)
	case bool:
		return strconv.AppendBool(nil, found)
	case nil:
		return []byte("null")
	}
	panic(fmt.Sprintf("%T in JSON", value))
}

func quoted(text string) []byte {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	made := []byte{'"'}
	for _, sign := range text {
		if escape, is := short[sign]; is {
			made = append(made, escape...)
		} else if sign < 0x20 {
			made = append(made, fmt.Sprintf(`\u%04x`, sign)...)
		} else {
			made = utf8.AppendRune(made, sign)
		}
	}
	return append(made, '"')
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func digest(value any) string {
	if found, is := value.(object); is {
		value = map[string]any(found)
	}
	return hexSum(canonical(value))
}

func (o object) only(names string) {
	known := " " + names + " "
	for name := range o {
		must(strings.Contains(known, " "+name+" "), "the field %q is not known", name)
	}
}

func (o object) text(name string) string {
	found, is := o[name].(string)
	must(is, "%s is no text", name)
	return found
}

func (o object) number(name string) int64 {
	found, is := o[name].(int64)
	must(is, "%s is no number", name)
	return found
}

func (o object) list(name string) []any {
	found, is := o[name].([]any)
	must(is, "%s is no list", name)
	return found
}

func (o object) object(name string) object {
	found, is := o[name].(map[string]any)
	must(is, "%s is no object", name)
	return found
}

func (o object) objects(name string) []object {
	made := []object{}
	for _, inner := range o.list(name) {
		found, is := inner.(map[string]any)
		must(is, "%s holds something else than objects", name)
		made = append(made, found)
	}
	return made
}

func (o object) hashes(name string) [][]byte {
	made := [][]byte{}
	for _, inner := range o.list(name) {
		made = append(made, unhex(inner.(string)))
	}
	return made
}

func unhex(text string) []byte {
	data, err := hex.DecodeString(text)
	must(err == nil && len(data) == 32 && hex.EncodeToString(data) == text, "%q is no hash", text)
	return data
}
