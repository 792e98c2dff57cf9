import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;

public class Main {
    private static int evaluate(String expression) {
        Deque<Integer> stack = new ArrayDeque<>();
        for (String symbol : expression.split("\\s+")) {
            if (Set.of("+", "-", "*").contains(symbol)) {
                int right = stack.pop();
                int left = stack.pop();
                switch (symbol) {
                    case "+" -> stack.push(left + right);
                    case "-" -> stack.push(left - right);
                    default -> stack.push(left * right);
                }
            } else {
                stack.push(Integer.parseInt(symbol));
            }
        }
        return stack.pop();
    }

    public static void main(String[] args) {
        for (String expression : List.of("3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -")) {
            System.out.println(expression + " = " + evaluate(expression));
        }
    }
}
