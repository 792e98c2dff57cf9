public class Main {
    private static final String ALPHABET = "abcdefghijklmnopqrstuvwxyz";

    private static char shiftLetter(char letter, int distance) {
        int position = ALPHABET.indexOf(letter);
        if (position < 0) {
            return letter;
        }
        return ALPHABET.charAt((position + distance) % ALPHABET.length());
    }

    private static String encode(String text, int distance) {
        StringBuilder result = new StringBuilder();
        for (char letter : text.toCharArray()) {
            result.append(shiftLetter(letter, distance));
        }
        return result.toString();
    }

    public static void main(String[] args) {
        String secret = encode("attack at dawn, bring a zebra", 3);
        System.out.println(secret);
        System.out.println(encode(secret, 26 - 3));
    }
}
