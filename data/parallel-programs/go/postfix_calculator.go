package main

import (
	"fmt"
	"log"
	"strconv"
	"strings"
)

func evaluate(expression string) (int, error) {
	var stack []int
	for _, symbol := range strings.Fields(expression) {
		switch symbol {
		case "+", "-", "*":
			left, right := stack[len(stack)-2], stack[len(stack)-1]
			stack = stack[:len(stack)-2]
			switch symbol {
			case "+":
				stack = append(stack, left+right)
			case "-":
				stack = append(stack, left-right)
			default:
				stack = append(stack, left*right)
			}
		default:
			number, err := strconv.Atoi(symbol)
			if err != nil {
				return 0, err
			}
			stack = append(stack, number)
		}
	}
	return stack[len(stack)-1], nil
}

func main() {
	for _, expression := range []string{"3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"} {
		result, err := evaluate(expression)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s = %d\n", expression, result)
	}
}
