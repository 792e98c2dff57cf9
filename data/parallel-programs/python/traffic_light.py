from enum import Enum


class Light(Enum):
    RED = 0
    GREEN = 1
    YELLOW = 2


def next_light(light):
    match light:
        case Light.RED:
            return Light.GREEN
        case Light.GREEN:
            return Light.YELLOW
        case Light.YELLOW:
            return Light.RED


def seconds(light):
    match light:
        case Light.RED:
            return 30
        case Light.GREEN:
            return 25
        case Light.YELLOW:
            return 5


def main():
    light = Light.RED
    elapsed = 0
    while True:
        print(f"second {elapsed}: {light.name.lower()}")
        elapsed += seconds(light)
        light = next_light(light)
        if elapsed > 120:
            break


if __name__ == "__main__":
    main()
