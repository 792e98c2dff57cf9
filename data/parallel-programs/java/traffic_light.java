public class Main {
    private static Light nextLight(Light light) {
        return switch (light) {
            case RED -> Light.GREEN;
            case GREEN -> Light.YELLOW;
            case YELLOW -> Light.RED;
        };
    }

    private static int seconds(Light light) {
        return switch (light) {
            case RED -> 30;
            case GREEN -> 25;
            case YELLOW -> 5;
        };
    }

    public static void main(String[] args) {
        Light light = Light.RED;
        int elapsed = 0;
        while (true) {
            System.out.println("second " + elapsed + ": " + light.name().toLowerCase());
            elapsed += seconds(light);
            light = nextLight(light);
            if (elapsed > 120) {
                break;
            }
        }
    }
}

enum Light {
    RED,
    GREEN,
    YELLOW
}
