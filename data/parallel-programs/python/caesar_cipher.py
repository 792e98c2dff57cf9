ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def shift_letter(letter, distance):
    position = ALPHABET.find(letter)
    if position < 0:
        return letter
    return ALPHABET[(position + distance) % len(ALPHABET)]


def encode(text, distance):
    return "".join(shift_letter(letter, distance) for letter in text)


def main():
    secret = encode("attack at dawn, bring a zebra", 3)
    print(secret)
    print(encode(secret, 26 - 3))


if __name__ == "__main__":
    main()
