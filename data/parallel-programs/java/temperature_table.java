public class Main {
    private static double toFahrenheit(double celsius) {
        return celsius * 9.0 / 5.0 + 32.0;
    }

    public static void main(String[] args) {
        System.out.println("celsius fahrenheit");
        double total = 0.0;
        int count = 0;
        for (int celsius = -10; celsius < 45; celsius += 10) {
            double fahrenheit = toFahrenheit(celsius);
            System.out.printf("%d %.1f%n", celsius, fahrenheit);
            total += fahrenheit;
            count++;
        }
        System.out.printf("mean %.3f%n", total / count);
    }
}
