package main

import "fmt"

type Shape interface {
	Area() float64
	Name() string
}

type Rectangle struct {
	width  float64
	height float64
}

func (r Rectangle) Area() float64 {
	return r.width * r.height
}

func (r Rectangle) Name() string {
	return "rectangle"
}

type Triangle struct {
	base   float64
	height float64
}

func (t Triangle) Area() float64 {
	return t.base * t.height / 2
}

func (t Triangle) Name() string {
	return "triangle"
}

func main() {
	shapes := []Shape{Rectangle{3, 4}, Triangle{5, 3}, Rectangle{2, 2}}
	total := 0.0
	for _, shape := range shapes {
		fmt.Printf("%s: %.2f\n", shape.Name(), shape.Area())
		total += shape.Area()
	}
	fmt.Printf("total: %.2f\n", total)
}
