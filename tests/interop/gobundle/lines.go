package main

// The lines: quantities from records, prices from the terms, exact amounts, one rounding, the total.

import (
	"fmt"
	"math/big"
	"sort"
	"strings"
)

func sorted(from object) []string {
	names := make([]string, 0, len(from))
	for name := range from {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func decimal(text string) *big.Rat {
	must(strings.Trim(text, "-0123456789.") == "" && text != "", "%q is no number in plain digits", text)
	found, is := new(big.Rat).SetString(text)
	must(is, "%q is no number", text)
	return found
}

func whole(number int64) *big.Rat { return new(big.Rat).SetInt64(number) }

// halfUp: half away from zero, to so many digits, as a text.
func halfUp(exact *big.Rat, digits int) string {
	return exact.FloatString(digits)
}

func priced(statement, head object, terms map[int64]object, logs []*log) {
	total := new(big.Rat)
	billed := map[[2]int64]int{}
	for at, line := range statement.objects("lines") {
		must(line.number("no") == int64(at+1), "lines are not numbered 1, 2, 3")
		worked(line, head, terms[line.number("version")], logs)
		total.Add(total, decimal(line.text("amount")))
		if line.text("effect") == "usage" {
			mark(line, billed)
		}
	}
	for _, one := range statement.objects("unbilled") {
		mark(one, billed)
	}
	must(total.Cmp(decimal(head.text("total"))) == 0, "the lines do not come to the total")
	complete(head, logs, billed)
}

func mark(line object, billed map[[2]int64]int) {
	for _, leaf := range line.objects("leaves") {
		billed[[2]int64{leaf.number("log"), leaf.number("index")}]++
	}
}

// complete: every confirmed draw of the period is on one line or in the list of what was not billed.
func complete(head object, logs []*log, billed map[[2]int64]int) {
	period := head.object("period")
	for number, of := range logs {
		for index, record := range of.records {
			if record.text("k") != "draw" || record.text("outcome") != "confirmed" || record.text("ts") != "S" {
				continue
			}
			at := record.number("t")
			if at >= period.number("from_ms") && at < period.number("to_ms") {
				must(billed[[2]int64{int64(number), index}] == 1, "the draw %d is not billed once", index)
			}
		}
	}
}

func worked(line, head, terms object, logs []*log) {
	if line.text("belongs_to") != "" || line["corrects"] != nil || line.text("rounding") != "half_up" {
		panic(unknown("late usage, deltas and other roundings"))
	}
	charge := object(terms.list("charges")[line.number("charge")].(map[string]any))
	must(charge.text("kind") == line.text("kind"), "the line is of another kind than its charge")
	quantity := decimal(line.object("quantity").text("value"))
	price := decimal(line.text("unit_price"))
	exact := new(big.Rat).Mul(quantity, price)
	for _, leaf := range line.objects("leaves") {
		dated(leaf, record(leaf, logs))
	}
	switch line.text("kind") {
	case "per_piece":
		must(line.text("unit_price") == charge.object("prices").text(line.text("subject")), "another price")
		must(quantity.Cmp(pieces(line, logs)) == 0, "the quantity does not follow from the records")
	case "energy":
		must(line.text("unit_price") == charge.text("unit_price"), "another price")
		must(quantity.Cmp(energy(line, logs)) == 0, "the quantity does not follow from the registers")
	case "monthly_fee":
		must(line.text("unit_price") == charge.text("amount"), "another fee")
		must(quantity.Cmp(whole(line.number("days"))) == 0, "another number of days")
		exact.Quo(exact, whole(line.number("month_days")))
	default:
		panic(unknown("charges of the kind " + line.text("kind")))
	}
	rest := new(big.Rat).Sub(exact, decimal(line.text("unrounded")))
	must(rest.Abs(rest).Cmp(big.NewRat(1, 1_000_000_000_000)) < 0, "the exact amount is another")
	_, digits, _ := strings.Cut(line.text("amount"), ".")
	must(halfUp(exact, len(digits)) == line.text("amount"), "%s is not rounded to %s", exact.FloatString(12), line.text("amount"))
}

func record(leaf object, logs []*log) object {
	number := leaf.number("log")
	must(number >= 0 && number < int64(len(logs)), "a leaf of no log")
	found, shown := logs[number].records[leaf.number("index")]
	must(shown, "record %d is not shown", leaf.number("index"))
	return found
}

func dated(leaf, of object) {
	if leaf.text("quality") == "synchronised" {
		must(of.text("ts") == "S" && of.number("t") == leaf.number("at"), "the leaf is of another time")
	}
}

// pieces: confirmed draws and resolutions count, reversals and returns take back.
func pieces(line object, logs []*log) *big.Rat {
	total := int64(0)
	for _, leaf := range line.objects("leaves") {
		one := record(leaf, logs)
		must(one.text("src") == line.text("device"), "a record of another device")
		switch one.text("k") {
		case "draw":
			must(one.text("item") == line.text("subject"), "a draw of another item")
			if one.text("outcome") == "confirmed" {
				total += one.number("qty")
			}
		case "draw_resolved":
			if one.text("outcome") == "confirmed" {
				total += one.number("qty")
			}
		case "reversal", "return":
			total -= one.number("qty")
		default:
			refuse("a %s on a line of pieces", one.text("k"))
		}
	}
	return whole(total)
}

// energy: closing less opening in kWh; each register reading is that of its record.
func energy(line object, logs []*log) *big.Rat {
	registers := line.objects("registers")
	must(len(registers) == 2 && line.number("rollovers") == 0, "opening and closing are needed")
	values := []*big.Rat{}
	for _, point := range registers {
		of := record(point.object("leaf"), logs)
		for _, name := range []string{"register", "unit"} {
			must(of.text(name) == point.text(name), "the register is not the record's")
		}
		same := of.number("value") == point.number("value") && of.number("scale") == point.number("scale")
		must(same && of.text("src") == point.text("device"), "the reading is not the record's")
		value := decimal(fmt.Sprintf("%d", point.number("value")))
		for scale := point.number("scale"); scale != 0; {
			if scale > 0 {
				value.Mul(value, whole(10))
				scale--
			} else {
				value.Quo(value, whole(10))
				scale++
			}
		}
		switch point.text("unit") {
		case "Wh":
			value.Quo(value, whole(1000))
		case "kWh":
		default:
			panic(unknown("the unit " + point.text("unit")))
		}
		values = append(values, value)
	}
	return values[1].Sub(values[1], values[0])
}
