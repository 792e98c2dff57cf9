package main

import (
	"fmt"
	"strconv"
	"strings"
)

func encode(text string) string {
	var result strings.Builder
	index := 0
	for index < len(text) {
		run := 1
		for index+run < len(text) && text[index+run] == text[index] {
			run++
		}
		result.WriteByte(text[index])
		result.WriteString(strconv.Itoa(run))
		index += run
	}
	return result.String()
}

func decode(code string) string {
	var result strings.Builder
	index := 0
	for index < len(code) {
		run := int(code[index+1] - '0')
		result.WriteString(strings.Repeat(code[index:index+1], run))
		index += 2
	}
	return result.String()
}

func main() {
	for _, text := range []string{"aaabccdddd", "x", "zzzzzz"} {
		code := encode(text)
		restored := "no"
		if decode(code) == text {
			restored = "yes"
		}
		fmt.Printf("%s becomes %s, restored: %s\n", text, code, restored)
	}
}
