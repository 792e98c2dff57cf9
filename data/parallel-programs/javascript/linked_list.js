class Node {
  constructor(value, nextNode = null) {
    this.value = value;
    this.nextNode = nextNode;
  }
}

class LinkedList {
  constructor() {
    this.head = null;
  }

  push(value) {
    this.head = new Node(value, this.head);
  }

  reverse() {
    let previous = null;
    let node = this.head;
    while (node !== null) {
      const following = node.nextNode;
      node.nextNode = previous;
      previous = node;
      node = following;
    }
    this.head = previous;
  }

  describe() {
    const parts = [];
    let node = this.head;
    while (node !== null) {
      parts.push(String(node.value));
      node = node.nextNode;
    }
    return parts.join(" -> ");
  }
}

function main() {
  const numbers = new LinkedList();
  for (let value = 1; value < 6; value++) {
    numbers.push(value);
  }
  console.log(numbers.describe());
  numbers.reverse();
  console.log(numbers.describe());
}

main();
