import java.util.List;

public class Main {
    private static String encode(String text) {
        StringBuilder result = new StringBuilder();
        int index = 0;
        while (index < text.length()) {
            int run = 1;
            while (index + run < text.length() && text.charAt(index + run) == text.charAt(index)) {
                run++;
            }
            result.append(text.charAt(index)).append(run);
            index += run;
        }
        return result.toString();
    }

    private static String decode(String code) {
        StringBuilder result = new StringBuilder();
        int index = 0;
        while (index < code.length()) {
            int run = Character.getNumericValue(code.charAt(index + 1));
            result.append(String.valueOf(code.charAt(index)).repeat(run));
            index += 2;
        }
        return result.toString();
    }

    public static void main(String[] args) {
        for (String text : List.of("aaabccdddd", "x", "zzzzzz")) {
            String code = encode(text);
            boolean same = decode(code).equals(text);
            System.out.printf("%s becomes %s, restored: %s%n", text, code, same ? "yes" : "no");
        }
    }
}
