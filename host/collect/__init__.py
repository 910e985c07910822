"""The collector: takes the boxes' records from MQTT, keeps each once, acknowledges them."""
