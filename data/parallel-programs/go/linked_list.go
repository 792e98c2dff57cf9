package main

import (
	"fmt"
	"strconv"
	"strings"
)

type Node struct {
	value    int
	nextNode *Node
}

type LinkedList struct {
	head *Node
}

func (l *LinkedList) Push(value int) {
	l.head = &Node{value: value, nextNode: l.head}
}

func (l *LinkedList) Reverse() {
	var previous *Node
	node := l.head
	for node != nil {
		following := node.nextNode
		node.nextNode = previous
		previous = node
		node = following
	}
	l.head = previous
}

func (l *LinkedList) Describe() string {
	var parts []string
	node := l.head
	for node != nil {
		parts = append(parts, strconv.Itoa(node.value))
		node = node.nextNode
	}
	return strings.Join(parts, " -> ")
}

func main() {
	numbers := &LinkedList{}
	for value := 1; value < 6; value++ {
		numbers.Push(value)
	}
	fmt.Println(numbers.Describe())
	numbers.Reverse()
	fmt.Println(numbers.Describe())
}
