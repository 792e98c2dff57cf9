def encode(text):
    result = ""
    index = 0
    while index < len(text):
        run = 1
        while index + run < len(text) and text[index + run] == text[index]:
            run += 1
        result += text[index] + str(run)
        index += run
    return result


def decode(code):
    result = ""
    index = 0
    while index < len(code):
        result += code[index] * int(code[index + 1])
        index += 2
    return result


def main():
    for text in ["aaabccdddd", "x", "zzzzzz"]:
        code = encode(text)
        same = decode(code) == text
        print(f"{text} becomes {code}, restored: {'yes' if same else 'no'}")


if __name__ == "__main__":
    main()
