module Light
  RED = :red
  GREEN = :green
  YELLOW = :yellow
end

def next_light(light)
  case light
  when Light::RED then Light::GREEN
  when Light::GREEN then Light::YELLOW
  when Light::YELLOW then Light::RED
  end
end

def seconds(light)
  case light
  when Light::RED then 30
  when Light::GREEN then 25
  when Light::YELLOW then 5
  end
end

def main
  light = Light::RED
  elapsed = 0
  loop do
    puts "second #{elapsed}: #{light}"
    elapsed += seconds(light)
    light = next_light(light)
    break if elapsed > 120
  end
end

main if __FILE__ == $PROGRAM_NAME
