// Runs before each test file: Nest's decorators need the metadata store. Knows no test.
import 'reflect-metadata';
