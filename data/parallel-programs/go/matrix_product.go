package main

import (
	"fmt"
	"strconv"
	"strings"
)

func multiply(left, right [][]int) [][]int {
	rows := len(left)
	columns := len(right[0])
	product := make([][]int, rows)
	for row := range product {
		product[row] = make([]int, columns)
		for column := range product[row] {
			total := 0
			for inner := range right {
				total += left[row][inner] * right[inner][column]
			}
			product[row][column] = total
		}
	}
	return product
}

func main() {
	left := [][]int{{1, 2, 3}, {4, 5, 6}}
	right := [][]int{{7, 8}, {9, 10}, {11, 12}}
	for _, row := range multiply(left, right) {
		var cells []string
		for _, value := range row {
			cells = append(cells, strconv.Itoa(value))
		}
		fmt.Println(strings.Join(cells, ", "))
	}
}
