public class Main {
    private static final int[] VALUES = {1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1};
    private static final String[] NUMERALS = {
        "M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"
    };

    private static String toRoman(int number) {
        StringBuilder result = new StringBuilder();
        for (int index = 0; index < VALUES.length; index++) {
            while (number >= VALUES[index]) {
                result.append(NUMERALS[index]);
                number -= VALUES[index];
            }
        }
        return result.toString();
    }

    public static void main(String[] args) {
        for (int year : new int[] {4, 1066, 1492, 1987, 2024}) {
            System.out.println(year + " is " + toRoman(year));
        }
    }
}
