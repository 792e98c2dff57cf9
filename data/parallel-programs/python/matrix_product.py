def multiply(left, right):
    rows = len(left)
    columns = len(right[0])
    product = [[0] * columns for _ in range(rows)]
    for row in range(rows):
        for column in range(columns):
            total = 0
            for inner in range(len(right)):
                total += left[row][inner] * right[inner][column]
            product[row][column] = total
    return product


def main():
    left = [[1, 2, 3], [4, 5, 6]]
    right = [[7, 8], [9, 10], [11, 12]]
    for row in multiply(left, right):
        print(", ".join(str(value) for value in row))


if __name__ == "__main__":
    main()
