package main

import (
	"fmt"
	"strings"
)

var values = []int{1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1}
var numerals = []string{"M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"}

func toRoman(number int) string {
	var result strings.Builder
	for index, value := range values {
		for number >= value {
			result.WriteString(numerals[index])
			number -= value
		}
	}
	return result.String()
}

func main() {
	for _, year := range []int{4, 1066, 1492, 1987, 2024} {
		fmt.Printf("%d is %s\n", year, toRoman(year))
	}
}
