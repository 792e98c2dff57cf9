package main

import "fmt"

type Light int

const (
	Red Light = iota
	Green
	Yellow
)

func (l Light) String() string {
	return [...]string{"red", "green", "yellow"}[l]
}

func nextLight(light Light) Light {
	switch light {
	case Red:
		return Green
	case Green:
		return Yellow
	default:
		return Red
	}
}

func seconds(light Light) int {
	switch light {
	case Red:
		return 30
	case Green:
		return 25
	default:
		return 5
	}
}

func main() {
	light := Red
	elapsed := 0
	for {
		fmt.Printf("second %d: %v\n", elapsed, light)
		elapsed += seconds(light)
		light = nextLight(light)
		if elapsed > 120 {
			break
		}
	}
}
