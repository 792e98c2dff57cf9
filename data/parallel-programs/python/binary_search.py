def binary_search(items, target):
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == target:
            return middle
        elif items[middle] < target:
            low = middle + 1
        else:
            high = middle - 1
    return -1


def main():
    numbers = [2, 3, 5, 7, 11, 13, 17, 19]
    for target in [7, 2, 19, 4]:
        position = binary_search(numbers, target)
        if position < 0:
            print(f"{target} is missing")
        else:
            print(f"{target} is at {position}")


if __name__ == "__main__":
    main()
