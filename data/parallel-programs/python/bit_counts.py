def count_bits(number):
    count = 0
    while number != 0:
        count += number & 1
        number >>= 1
    return count


def is_power_of_two(number):
    return number > 0 and number & (number - 1) == 0


def main():
    for number in [0, 1, 64, 255, 1000]:
        answer = "yes" if is_power_of_two(number) else "no"
        print(f"{number}: {count_bits(number)} bits, power of two: {answer}")
    print(6 ^ 3, 6 | 9, ~6 & 15, 1 << 10)


if __name__ == "__main__":
    main()
