"""From records to tables and pictures: `bench report NAME`. Nothing here imports a component or a network."""
