import { useMemo } from "react";

class Node {
  constructor(value, nextNode = null) {
    this.value = value;
    this.nextNode = nextNode;
  }
}

class List {
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

function describeBothWays(count) {
  const numbers = new List();
  for (let value = 1; value <= count; value++) {
    numbers.push(value);
  }
  const forward = numbers.describe();
  numbers.reverse();
  const backward = numbers.describe();
  return { forward, backward };
}

export default function LinkedList({ count = 5 }) {
  const { forward, backward } = useMemo(() => describeBothWays(count), [count]);

  return (
    <ul>
      <li>{forward}</li>
      <li>{backward}</li>
    </ul>
  );
}
