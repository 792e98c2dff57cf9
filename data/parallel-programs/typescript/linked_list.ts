class Node<T> {
  value: T;
  nextNode: Node<T> | null;

  constructor(value: T, nextNode: Node<T> | null = null) {
    this.value = value;
    this.nextNode = nextNode;
  }
}

class LinkedList<T> {
  private head: Node<T> | null = null;

  push(value: T): void {
    this.head = new Node(value, this.head);
  }

  reverse(): void {
    let previous: Node<T> | null = null;
    let node = this.head;
    while (node !== null) {
      const following = node.nextNode;
      node.nextNode = previous;
      previous = node;
      node = following;
    }
    this.head = previous;
  }

  describe(): string {
    const parts: string[] = [];
    let node = this.head;
    while (node !== null) {
      parts.push(String(node.value));
      node = node.nextNode;
    }
    return parts.join(" -> ");
  }
}

function main(): void {
  const numbers = new LinkedList<number>();
  for (let value = 1; value < 6; value++) {
    numbers.push(value);
  }
  console.log(numbers.describe());
  numbers.reverse();
  console.log(numbers.describe());
}

main();
