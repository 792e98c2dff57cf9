package main

import (
	"fmt"
	"strings"
)

const alphabet = "abcdefghijklmnopqrstuvwxyz"

func shiftLetter(letter rune, distance int) rune {
	position := strings.IndexRune(alphabet, letter)
	if position < 0 {
		return letter
	}
	return rune(alphabet[(position+distance)%len(alphabet)])
}

func encode(text string, distance int) string {
	return strings.Map(func(letter rune) rune {
		return shiftLetter(letter, distance)
	}, text)
}

func main() {
	secret := encode("attack at dawn, bring a zebra", 3)
	fmt.Println(secret)
	fmt.Println(encode(secret, 26-3))
}
