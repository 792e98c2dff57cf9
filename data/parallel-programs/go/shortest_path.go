package main

import (
	"fmt"
	"strings"
)

func shortestPath(graph map[string][]string, start, goal string) []string {
	queue := []string{start}
	cameFrom := map[string]string{start: ""}
	for len(queue) > 0 {
		place := queue[0]
		queue = queue[1:]
		if place == goal {
			break
		}
		for _, neighbour := range graph[place] {
			if _, ok := cameFrom[neighbour]; !ok {
				cameFrom[neighbour] = place
				queue = append(queue, neighbour)
			}
		}
	}
	if _, ok := cameFrom[goal]; !ok {
		return nil
	}
	var path []string
	place := goal
	for place != "" {
		path = append([]string{place}, path...)
		place = cameFrom[place]
	}
	return path
}

func main() {
	graph := map[string][]string{
		"A": {"B", "C"},
		"B": {"A", "D"},
		"C": {"A", "D"},
		"D": {"B", "C", "E"},
		"E": {"D"},
		"F": {},
	}
	for _, goal := range []string{"E", "A", "F"} {
		path := shortestPath(graph, "A", goal)
		if path == nil {
			fmt.Printf("A to %s: no path\n", goal)
		} else {
			fmt.Printf("A to %s: %s\n", goal, strings.Join(path, " "))
		}
	}
}
