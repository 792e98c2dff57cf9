VALUES = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]
NUMERALS = ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"]


def to_roman(number):
    result = ""
    for index in range(len(VALUES)):
        while number >= VALUES[index]:
            result += NUMERALS[index]
            number -= VALUES[index]
    return result


def main():
    for year in [4, 1066, 1492, 1987, 2024]:
        print(f"{year} is {to_roman(year)}")


if __name__ == "__main__":
    main()
