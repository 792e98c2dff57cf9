struct Node {
    value: i32,
    next_node: Option<Box<Node>>,
}

struct LinkedList {
    head: Option<Box<Node>>,
}

impl LinkedList {
    fn new() -> Self {
        LinkedList { head: None }
    }

    fn push(&mut self, value: i32) {
        let next_node = self.head.take();
        self.head = Some(Box::new(Node { value, next_node }));
    }

    fn reverse(&mut self) {
        let mut previous = None;
        let mut node = self.head.take();
        while let Some(mut current) = node {
            let following = current.next_node.take();
            current.next_node = previous;
            previous = Some(current);
            node = following;
        }
        self.head = previous;
    }

    fn describe(&self) -> String {
        let mut parts = Vec::new();
        let mut node = &self.head;
        while let Some(current) = node {
            parts.push(current.value.to_string());
            node = &current.next_node;
        }
        parts.join(" -> ")
    }
}

fn main() {
    let mut numbers = LinkedList::new();
    for value in 1..6 {
        numbers.push(value);
    }
    println!("{}", numbers.describe());
    numbers.reverse();
    println!("{}", numbers.describe());
}
