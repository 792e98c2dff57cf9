import java.util.ArrayList;
import java.util.List;

public class Main {
    public static void main(String[] args) {
        LinkedList numbers = new LinkedList();
        for (int value = 1; value < 6; value++) {
            numbers.push(value);
        }
        System.out.println(numbers.describe());
        numbers.reverse();
        System.out.println(numbers.describe());
    }
}

class Node {
    final int value;
    Node nextNode;

    Node(int value, Node nextNode) {
        this.value = value;
        this.nextNode = nextNode;
    }
}

class LinkedList {
    private Node head;

    void push(int value) {
        head = new Node(value, head);
    }

    void reverse() {
        Node previous = null;
        Node node = head;
        while (node != null) {
            Node following = node.nextNode;
            node.nextNode = previous;
            previous = node;
            node = following;
        }
        head = previous;
    }

    String describe() {
        List<String> parts = new ArrayList<>();
        Node node = head;
        while (node != null) {
            parts.add(String.valueOf(node.value));
            node = node.nextNode;
        }
        return String.join(" -> ", parts);
    }
}
