package main

import "fmt"

func toFahrenheit(celsius float64) float64 {
	return celsius*9.0/5.0 + 32.0
}

func main() {
	fmt.Println("celsius fahrenheit")
	total := 0.0
	count := 0
	for celsius := -10; celsius < 45; celsius += 10 {
		fahrenheit := toFahrenheit(float64(celsius))
		fmt.Printf("%d %.1f\n", celsius, fahrenheit)
		total += fahrenheit
		count++
	}
	fmt.Printf("mean %.3f\n", total/float64(count))
}
