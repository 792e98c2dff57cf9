def evaluate(expression):
    stack = []
    for symbol in expression.split():
        if symbol in ("+", "-", "*"):
            right = stack.pop()
            left = stack.pop()
            if symbol == "+":
                stack.append(left + right)
            elif symbol == "-":
                stack.append(left - right)
            else:
                stack.append(left * right)
        else:
            stack.append(int(symbol))
    return stack.pop()


def main():
    for expression in ["3 4 +", "5 1 2 + 4 * + 3 -", "2 3 * 4 5 * -"]:
        print(f"{expression} = {evaluate(expression)}")


if __name__ == "__main__":
    main()
