def to_fahrenheit(celsius):
    return celsius * 9.0 / 5.0 + 32.0


def main():
    print("celsius fahrenheit")
    total = 0.0
    count = 0
    for celsius in range(-10, 45, 10):
        fahrenheit = to_fahrenheit(celsius)
        print(f"{celsius} {fahrenheit:.1f}")
        total += fahrenheit
        count += 1
    print(f"mean {total / count:.3f}")


if __name__ == "__main__":
    main()
