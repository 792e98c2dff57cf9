using System;

public enum Light
{
    Red,
    Green,
    Yellow
}

public static class Program
{
    private static Light NextLight(Light light)
    {
        switch (light)
        {
            case Light.Red:
                return Light.Green;
            case Light.Green:
                return Light.Yellow;
            case Light.Yellow:
                return Light.Red;
            default:
                throw new ArgumentOutOfRangeException(nameof(light));
        }
    }

    private static int Seconds(Light light)
    {
        switch (light)
        {
            case Light.Red:
                return 30;
            case Light.Green:
                return 25;
            case Light.Yellow:
                return 5;
            default:
                throw new ArgumentOutOfRangeException(nameof(light));
        }
    }

    public static void Main()
    {
        Light light = Light.Red;
        int elapsed = 0;
        while (true)
        {
            Console.WriteLine($"second {elapsed}: {light.ToString().ToLower()}");
            elapsed += Seconds(light);
            light = NextLight(light);
            if (elapsed > 120)
            {
                break;
            }
        }
    }
}
