class Node:
    def __init__(self, value, next_node=None):
        self.value = value
        self.next_node = next_node


class LinkedList:
    def __init__(self):
        self.head = None

    def push(self, value):
        self.head = Node(value, self.head)

    def reverse(self):
        previous = None
        node = self.head
        while node is not None:
            following = node.next_node
            node.next_node = previous
            previous = node
            node = following
        self.head = previous

    def describe(self):
        parts = []
        node = self.head
        while node is not None:
            parts.append(str(node.value))
            node = node.next_node
        return " -> ".join(parts)


def main():
    numbers = LinkedList()
    for value in range(1, 6):
        numbers.push(value)
    print(numbers.describe())
    numbers.reverse()
    print(numbers.describe())


if __name__ == "__main__":
    main()
