enum Light {
  Red,
  Green,
  Yellow,
}

function nextLight(light: Light): Light {
  switch (light) {
    case Light.Red:
      return Light.Green;
    case Light.Green:
      return Light.Yellow;
    case Light.Yellow:
      return Light.Red;
  }
}

function seconds(light: Light): number {
  switch (light) {
    case Light.Red:
      return 30;
    case Light.Green:
      return 25;
    case Light.Yellow:
      return 5;
  }
}

function main(): void {
  let light: Light = Light.Red;
  let elapsed = 0;
  do {
    console.log(`second ${elapsed}: ${Light[light].toLowerCase()}`);
    elapsed += seconds(light);
    light = nextLight(light);
  } while (elapsed <= 120);
}

main();
