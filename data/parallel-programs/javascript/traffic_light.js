const Light = Object.freeze({
  RED: "red",
  GREEN: "green",
  YELLOW: "yellow",
});

function nextLight(light) {
  switch (light) {
    case Light.RED:
      return Light.GREEN;
    case Light.GREEN:
      return Light.YELLOW;
    case Light.YELLOW:
      return Light.RED;
  }
}

function seconds(light) {
  switch (light) {
    case Light.RED:
      return 30;
    case Light.GREEN:
      return 25;
    case Light.YELLOW:
      return 5;
  }
}

function main() {
  let light = Light.RED;
  let elapsed = 0;
  do {
    console.log(`second ${elapsed}: ${light}`);
    elapsed += seconds(light);
    light = nextLight(light);
  } while (elapsed <= 120);
}

main();
